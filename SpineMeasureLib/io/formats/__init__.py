"""Image files as bytes and headers: NIfTI, NRRD and MetaImage, every checksum and size checked."""
