"""Runs at URLs: written to a spool on this machine, and sent; and what is sent later."""
