"""Runs of OpenLTH (github.com/facebookresearch/open_lth): their folders read, checked and made tickets."""
