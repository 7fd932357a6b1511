"""SpineMeasure: segmentation and measurement of spine MRI. Coordinates are RAS millimetres throughout."""

__version__ = "0.2.0.dev0"
