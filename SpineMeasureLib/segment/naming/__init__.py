"""From a tissue map to separate, named structures."""
