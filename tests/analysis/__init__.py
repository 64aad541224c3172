"""Tests of flows and tunnel endpoints."""
