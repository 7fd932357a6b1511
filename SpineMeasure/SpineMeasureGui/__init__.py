"""Parts of the SpineMeasure panel, each with one job. Imported by the module when its panel is made, never before."""
