"""The report of a study: analysis of variance, recommendations, plots and the HTML page."""
