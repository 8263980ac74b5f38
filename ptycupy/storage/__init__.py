"""result.h5: the only writer of HDF5. One file that goes on, and that PtyRAD, phaser and NeXus browsers open."""
