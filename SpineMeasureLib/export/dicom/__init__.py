"""DICOM Segmentation and Structured Report."""
