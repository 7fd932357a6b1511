"""DICOM: the stacks of a study, the choice of one, its pixels, segmentations, and archives."""
