"""Replacements for parts of MLServer 1.7.1; `patches` lists them with their reasons."""
