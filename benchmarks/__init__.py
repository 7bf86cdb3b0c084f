"""Measurements: the policy program beside other engines, and a whole snapshot beside its plain parse."""
