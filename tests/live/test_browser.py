"""The live page in a real browser: it opens, its pictures change, and its buttons do what they say."""

import shutil
import time
from pathlib import Path

import live_page
import pytest
import tiny_run
from live_page import until

from ptycupy.storage.result import load_result

pytestmark = pytest.mark.browser
LONG = 100_000


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not here: pip install '.[browser]'")
    from selenium.webdriver.chrome.service import Service

    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium or chromedriver is not here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1366,768"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.fixture
def run(tmp_path, monkeypatch):
    config = tiny_run.write(tmp_path, iterations=LONG, checkpoint_every=1_000_000)
    config.write_text(config.read_text().replace("constraints: []", "constraints: {depth_blur: {std: 1.0}}"))
    with live_page.running(config, monkeypatch) as found:
        yield found


@pytest.fixture
def shown(browser, run):
    """The run's page, open and connected."""
    browser.get(run.page.url)
    until(lambda: text(browser, "state") == "running")
    yield browser
    browser.get("about:blank")


def text(browser, name):
    return browser.find_element("id", name).text


def iteration(browser):
    return int(text(browser, "iteration").split("/")[0])


def source(browser, name):
    return browser.find_element("id", name).get_property("currentSrc")


def test_the_page_opens_and_its_pictures_change(shown):
    until(lambda: source(shown, "phase") and source(shown, "fft"))
    first = source(shown, "phase")
    width = shown.execute_script("return document.getElementById('phase').naturalWidth")
    assert width > 10
    until(lambda: source(shown, "phase") != first)
    assert "px" in shown.find_element("css selector", "#phase-box svg").text  # its scale bar
    assert "1: 100 %" in text(shown, "modes")
    assert "16, none moved" in text(shown, "moved")
    ink = "const c = document.getElementById('loss-chart'); return c.getContext('2d')\
        .getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    assert shown.execute_script(ink)
    assert not [entry for entry in shown.get_log("browser") if entry["level"] == "SEVERE"]


def test_nothing_comes_from_elsewhere(shown, run):
    until(lambda: source(shown, "phase"))
    names = shown.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert len(names) > 4
    assert all(name.startswith(run.page.url) for name in names)


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_it_fits_laptop_and_phone(shown, width, height):
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        until(lambda: source(shown, "phase"))
        assert shown.execute_script("return document.documentElement.scrollWidth") <= width
        for name in ("pause", "stop", "phase"):
            box = shown.find_element("id", name).rect
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    finally:
        shown.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_pause_and_continue(shown):
    shown.find_element("id", "pause").click()
    until(lambda: text(shown, "state") == "paused")
    before = iteration(shown)
    time.sleep(0.5)
    assert iteration(shown) == before
    assert text(shown, "pause") == "Continue"
    shown.find_element("id", "pause").click()
    until(lambda: iteration(shown) > before)


def test_a_learning_rate_is_changed_and_the_log_says_so(shown, run):
    enter(shown, "optimizer.probe.learning_rate", "3e-3")
    until(lambda: "optimizer.probe.learning_rate: 0.001 -> 0.003" in text(shown, "notes"))
    log = Path(run.page.board.news(-1, 0)[1]["folder"]) / "run.log"
    assert "optimizer.probe.learning_rate: 0.001 -> 0.003 after iteration" in log.read_text()


def test_a_wrong_value_is_refused_and_marked(shown):
    enter(shown, "constraints.depth_blur.std", "-1")
    until(lambda: "-1 must be at least 0" in text(shown, "answer"))
    assert "wrong" in field(shown, "constraints.depth_blur.std").get_attribute("class")
    assert text(shown, "notes") == ""


def test_a_constraint_is_switched_off(shown):
    shown.find_element("css selector", "#constraints input[type=checkbox]").click()
    until(lambda: "constraints.depth_blur.end: null ->" in text(shown, "notes"))
    until(lambda: not shown.find_element("css selector", "#constraints input[type=checkbox]").is_selected())


def test_stop_ends_the_run_with_a_result(shown, run):
    until(lambda: iteration(shown) >= 1)
    shown.find_element("id", "stop").click()
    shown.switch_to.alert.accept()
    result = run.end()
    assert result.exit_code == 130
    assert load_result(result.folder / "result.h5").iteration >= 1
    until(lambda: "was stopped and saved" in text(shown, "banner"))
    assert not shown.find_element("id", "stop").is_enabled()


def test_a_run_that_diverges_says_why_it_failed(shown, run):
    until(lambda: source(shown, "phase"))
    enter(shown, "optimizer.object_phase.learning_rate", "1e30")
    until(lambda: text(shown, "banner").startswith("The run failed: iteration "))
    assert "Learning rates were" in text(shown, "banner")
    assert text(shown, "state") == "failed"
    assert shown.execute_script("return document.documentElement.scrollWidth") <= 1366
    run.thread.join(60)


def test_two_browsers_see_the_same_and_one_may_close(shown, run):
    other = live_page.events(run.page)["status"]  # the other one comes, looks and goes
    assert other["folder"] == run.page.board.news(-1, 0)[1]["folder"]
    before = iteration(shown)
    until(lambda: iteration(shown) > before)


def test_an_address_of_an_earlier_run_says_so(shown, run):
    shown.get(run.page.url.replace(run.page.token, "an-older-secret"))
    assert "belongs to another run" in shown.find_element("tag name", "body").text


def field(browser, key):
    return browser.find_element("css selector", f"input[title='{key}']")


def enter(browser, key, value):
    """Types a value and the Enter key."""
    until(lambda: browser.find_elements("css selector", f"input[title='{key}']"))
    until(lambda: field(browser, key).is_enabled())
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field(browser, key))
    box = field(browser, key)
    box.click()
    box.clear()
    box.send_keys(value + "\n")
