"""SpineMeasure: segmentation and measurement of spine MRI. Coordinates are RAS millimetres throughout."""

__version__ = "0.1.0"
