"""What a study found: analysis of variance, recommendations, and the HTML page."""
