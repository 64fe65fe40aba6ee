"""A GCP for tests and the demo: a stateful server driven by Google's discovery documents. See tests/sim/gcp/__main__.py."""
