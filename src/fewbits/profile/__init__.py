"""Profiles: what pictures of one tensor need, made of some of its values and kept beside its records."""

from fewbits.profile.record import BINS, InFormat, Profile, Worst, key

__all__ = ["BINS", "InFormat", "Profile", "Worst", "key"]
