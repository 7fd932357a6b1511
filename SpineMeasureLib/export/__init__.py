"""Files that leave the program: tables, pictures, run information."""
