"""Parts of ``bitlif learn``: where examples come from, training, and the result folder."""
