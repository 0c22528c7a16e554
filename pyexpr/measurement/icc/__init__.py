"""Intraclass correlations: estimates, intervals, designs."""
