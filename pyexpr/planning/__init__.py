"""How many subjects, clips and raters a study needs."""
