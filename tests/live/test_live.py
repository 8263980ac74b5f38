"""The live page over HTTP: who may ask, what is shown, and what orders do to a run."""

import json
import logging
import socket
import threading

import live_page
import numpy as np
import pytest
import tiny_run
from live_page import until

from ptycupy import reconstruct
from ptycupy.api.run import prepare
from ptycupy.config import load_config
from ptycupy.errors import ConfigError, DivergenceError
from ptycupy.live import server, watcher
from ptycupy.live.server import Page
from ptycupy.reconstruction import turns
from ptycupy.storage.result import load_result

LONG = 100_000  # iterations: such a run ends when it is told to


@pytest.fixture
def page():
    with Page() as open_page:
        yield open_page


@pytest.fixture
def run(tmp_path, monkeypatch):
    config = tiny_run.write(tmp_path, iterations=LONG, checkpoint_every=1_000_000)
    text = config.read_text().replace("constraints: []", "constraints: {depth_blur: {std: 1.0}, positive_phase: }")
    config.write_text(text)
    with live_page.running(config, monkeypatch) as found:
        until(lambda: found.page.board.controls is not None)
        yield found


# --- who may ask --------------------------------------------------------------------------------------------------
def test_only_this_computer_and_only_with_the_secret(page):
    assert page._server.server_address[0] == "127.0.0.1"
    assert len(page.token) >= 32
    status, text = live_page.ask(page, "")
    assert status == 200
    assert b"<title>ptycupy live</title>" in text
    for path in ("", "events", "page.js", "picture/phase"):
        status, text = live_page.ask(page, path, token="x" * 32)
        assert status == 403
        assert b"another run" in text
    assert live_page.ask(page, "", token="")[0] == 403
    assert live_page.ask(page, "orders", "POST", "{}", token="x", Content_Type="application/json")[0] == 403


def test_a_name_that_was_made_to_mean_this_computer_is_refused(page):
    for host in ("evil.example", f"evil.example:{page.port}", "127.0.0.1.evil.example", ""):
        assert live_page.ask(page, "", Host=host)[0] == 403
    for host in ("127.0.0.1:9000", "localhost:8000", "localhost", "[::1]:80"):  # a tunnel's near end
        assert live_page.ask(page, "", Host=host)[0] == 200


def test_orders_of_other_sites_are_refused(page):
    def order(**headers):
        return live_page.ask(page, "orders", "POST", '{"do": "pause"}', **headers)[0]

    assert order(Content_Type="application/x-www-form-urlencoded") == 415
    assert order(Content_Type="text/plain") == 415
    json_type = {"Content_Type": "application/json"}
    assert order(**json_type, Origin="https://evil.example") == 403
    assert order(**json_type, Origin="null") == 403
    assert order(**json_type, Sec_Fetch_Site="cross-site") == 403
    assert order(**json_type, Origin=f"http://127.0.0.1:{page.port}") == 400  # no run listens yet, but one may ask


def test_the_answer_forbids_everything_from_elsewhere(page):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", page.port)
    connection.request("GET", f"/{page.token}/")
    headers = connection.getresponse().headers
    connection.close()
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    for name, _ in server.FILES.values():
        text = (server.FOLDER / name).read_text(encoding="utf-8")
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("not JSON", "Expecting value"),
        ("[]", "an order is"),
        ('{"do": "dance"}', "no iterations are running"),
        ("[" * 5000, ""),
        ("x" * 20_000, "10000 bytes"),
    ],
)
def test_bad_orders_are_refused_with_a_reason(page, body, says):
    status, text = live_page.ask(page, "orders", "POST", body, Content_Type="application/json")
    assert status in (400, 413)
    assert says in text.decode()


def test_what_is_not_there_is_not_found(page):
    for path in ("picture/phase", "picture/../../etc/passwd", "../server.py", "nothing"):
        assert live_page.ask(page, path)[0] == 404


def test_a_port_that_is_taken_is_refused(page, tmp_path):
    with pytest.raises(ConfigError, match=rf"--port {page.port}: cannot be had on 127.0.0.1: .*; choose another"):
        reconstruct(tiny_run.write(tmp_path), live=True, live_port=page.port)
    assert not (tmp_path / "runs").exists()  # refused before anything is left behind
    with pytest.raises(ConfigError, match="--port 70000"):
        Page(70_000)


def test_the_address_is_told_but_not_logged(page, capsys, caplog):
    with caplog.at_level(logging.DEBUG, logger="ptycupy"):
        page.announce()
        live_page.ask(page, "")
    told = capsys.readouterr().err
    assert page.url in told
    assert f"ssh -L {page.port}:127.0.0.1:{page.port} " in told
    assert page.token not in caplog.text


def test_browsers_come_and_go_and_slow_ones_hold_nothing_up(page, monkeypatch):
    monkeypatch.setattr(server, "MOST_STREAMS", 3)
    monkeypatch.setattr(server, "ALIVE_SECONDS", 0.05)
    slow = []
    for _ in range(3):
        peer = socket.create_connection(("127.0.0.1", page.port))
        peer.sendall(f"GET /{page.token}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        slow.append(peer)  # never reads
    until(lambda: page.board.watching == 3)
    assert live_page.ask(page, "events")[0] == 503
    for number in range(200):
        page.board.post(filling="x" * 10_000, number=number)  # returns at once, however little is read
    for peer in slow:
        peer.close()
    until(lambda: page.board.watching == 0)
    assert live_page.events(page)["status"]["number"] == 199


# --- what is shown --------------------------------------------------------------------------------------------------
def test_a_browser_sees_the_run(run):
    found = live_page.events(run.page, ("status", "look"))
    status, look = found["status"], found["look"]
    assert status["iterations"] == LONG
    assert status["device"] == "cpu"
    assert [one["name"] for one in status["controls"]["constraints"]] == ["depth_blur", "positive_phase"]
    assert status["controls"]["rates"]["object_phase"] == 1e-2
    assert look["unit"] == "px"
    assert look["slices"] == len(look["powers"]) == 1
    assert look["positions"]["count"] == 16
    for name in ("phase", "fft", "slice-1", "mode-1"):
        status, png = run.ask(f"picture/{name}")
        assert status == 200
        assert png.startswith(b"\x89PNG")
    for name in ("slice-2", "mode-2", "slice", "mode-0"):
        assert run.ask(f"picture/{name}")[0] == 404


def test_pictures_are_made_only_while_somebody_watches(run):
    until(lambda: run.page.board.news(-1, 0)[1]["iteration"] >= 3)
    assert run.page.board.look is None
    live_page.events(run.page, ("look",))
    assert run.page.board.look is not None


# --- what orders do -------------------------------------------------------------------------------------------------
def test_pause_stops_iterations_and_continue_goes_on(run):
    assert run.order(do="pause") == (200, b"pauses after this iteration\n")
    until(lambda: run.status()["state"] == "paused")
    before = run.status()["iteration"]
    look = live_page.events(run.page, ("look",), enough=lambda found: found["look"]["iteration"] == before)["look"]
    assert len(look["curves"]["iterations"]) == before
    assert run.status()["iteration"] == before
    run.order(do="continue")
    until(lambda: run.status()["iteration"] > before)
    assert run.status()["state"] == "running"


def test_stop_is_the_path_of_a_signal(run):
    until(lambda: run.status()["iteration"] >= 2)
    assert run.order(do="stop")[0] == 200
    result = run.end()
    assert result.exit_code == 130
    assert load_result(result.folder / "result.h5").iteration == result.snapshot.iteration >= 2
    assert "stop on the live page: finishing the batch" in (result.folder / "run.log").read_text()


def test_stop_ends_a_paused_run_too(run):
    run.order(do="pause")
    until(lambda: run.status()["state"] == "paused")
    run.order(do="stop")
    assert run.end().exit_code == 130


def test_finish_ends_the_run_as_if_it_were_through(run):
    run.order(do="finish")
    result = run.end()
    assert result.exit_code == 0
    assert 0 < result.snapshot.iteration < LONG


def test_changes_take_effect_are_logged_recorded_and_survive_a_resume(run):
    assert run.order(do="set", key="optimizer.probe.learning_rate", value="2e-3")[0] == 200
    assert run.order(do="set", key="constraints.depth_blur.std", value="0.5")[0] == 200
    assert run.order(do="switch", constraint="positive_phase", on=False)[0] == 200
    assert run.status()["controls"]["rates"]["probe"] == 2e-3  # shown as wanted at once
    until(lambda: len(run.status()["notes"]) == 3)
    done = run.status()["iteration"]
    until(lambda: run.status()["iteration"] > done + 1)
    controls = run.status()["controls"]["constraints"]
    assert (controls[0]["parameters"]["std"], controls[1]["on"]) == (0.5, False)
    run.order(do="stop")
    result = run.end()
    rates = result.history.learning_rates["probe"]
    first = result.snapshot.changes[0].iteration
    assert set(rates[:first]) == {1e-3}
    assert set(rates[first:]) == {2e-3}
    log = (result.folder / "run.log").read_text()
    assert f"optimizer.probe.learning_rate: 0.001 -> 0.002 after iteration {first}" in log
    assert "constraints.depth_blur.std: 1.0 -> 0.5" in log
    saved = load_result(result.folder / "result.h5")
    end = saved.changes[-1]
    assert [change.key for change in saved.changes] == [
        "optimizer.probe.learning_rate", "constraints.depth_blur.std", "constraints.positive_phase.end",
    ]  # fmt: skip
    assert int(end.after) == end.iteration + 1

    # A resumed run keeps what was changed, except for a key that its file has another value of now.
    config = result.folder.parent.parent / "tiny.yaml"
    named = [f"output.name={result.folder.name}", f"reconstruction.iterations={saved.iteration + 1}"]
    again = reconstruct(config, backend="cpu", resume=True, overrides=[*named, "constraints.depth_blur.std=0.7"])
    assert again.history.learning_rates["probe"][-1] == 2e-3
    assert again.snapshot.changes == saved.changes
    log = (result.folder / "run.log").read_text()
    assert "as changed in the run: optimizer.probe.learning_rate: 0.002" in log
    assert "as changed in the run: constraints.depth_blur.std" not in log


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("optimizer.probe.learning_rate", "-1", "optimizer.probe.learning_rate: -1 must be at least 0"),
        ("optimizer.probe.learning_rate", "fast", "expected a number, found the text 'fast'"),
        ("optimizer.probe.learning_rate", "1,5", "a decimal comma; write a point"),
        ("optimizer.prob.learning_rate", "1", "did you mean probe?"),
        ("optimizer.background.learning_rate", "1", "the State has no background to refine"),
        ("constraints.depth_blur.std", "nan", "expected a number"),
        ("constraints.depth_blur.stdd", "1", "unknown key; did you mean std?"),
        ("constraints.lateral_blur.std", "1", "not among the run's constraints"),
        ("reconstruction.seed", "1", "cannot be changed in a run"),
    ],
)
def test_invalid_values_are_refused_in_the_words_of_the_loader(run, key, value, says):
    status, text = run.order(do="set", key=key, value=value)
    assert status == 400
    assert says in text.decode()
    assert run.status()["notes"] == []


def test_whoever_watches_a_run_diverge_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(watcher, "PICTURE_SECONDS", 0.0)  # a look at every batch, the broken ones too
    monkeypatch.setattr(turns, "SHARE", 1.0)
    config = tiny_run.write(tmp_path, iterations=LONG, checkpoint_every=1_000_000)
    with live_page.running(config, monkeypatch) as run:
        until(lambda: run.page.board.controls is not None)
        found = {}
        failed = {"enough": lambda seen: seen["status"]["state"] == "failed"}
        watching = threading.Thread(
            target=lambda: found.update(live_page.events(run.page, ("status", "look"), **failed))
        )
        watching.start()
        until(lambda: run.page.board.look is not None)
        assert run.order(do="set", key="optimizer.object_phase.learning_rate", value="1e30")[0] == 200
        run.thread.join(60)
        watching.join(60)
    assert isinstance(run.error, DivergenceError)
    assert found["status"]["message"] == str(run.error)
    assert np.isfinite(found["look"]["powers"]).all()


def test_a_constraint_goes_off_and_on_again(run):
    run.order(do="pause")
    until(lambda: run.status()["state"] == "paused")
    for on in (False, True, False):
        run.order(do="switch", constraint="depth_blur", on=on)
        assert run.status()["controls"]["constraints"][0]["on"] is on
    run.order(do="switch", constraint="depth_blur", on=True)
    run.order(do="continue")
    run.order(do="stop")
    assert run.end().snapshot.changes[-1].after == "null"


def test_other_ranks_follow_the_first(tmp_path):
    from thread_ranks import Meeting, ThreadComm

    from ptycupy.backends import select
    from ptycupy.distributed.team import Team
    from ptycupy.live.board import Board
    from ptycupy.live.orders import Orders
    from ptycupy.live.watcher import Watcher
    from ptycupy.reconstruction.run_folder import Followed

    config = load_config(tiny_run.write(tmp_path, iterations=3))
    board, meeting = Board(), Meeting(2)
    board.watching = 1
    states, engines = [None, None], [None, None]

    def work(rank):
        team = Team(ThreadComm(rank, meeting))
        engine = prepare(config, Followed(tmp_path), False, select("cpu", "float32"), team)
        watcher = Watcher(engine, config, team, board if rank == 0 else None, "")
        if rank == 0:
            order = {"do": "set", "key": "optimizer.probe.learning_rate", "value": "5e-3"}
            Orders(board).obey(order)
        engine.run(3, [watcher])
        states[rank], engines[rank] = engine.state, engine

    threads = [threading.Thread(target=work, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [engine.history.learning_rates["probe"] for engine in engines] == [[1e-3, 5e-3, 5e-3]] * 2
    assert (states[0].probe == states[1].probe).all()
    assert board.look is not None
    assert json.dumps(board.look.facts())
