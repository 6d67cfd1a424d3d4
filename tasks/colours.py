"""Okabe and Ito's colours, which remain distinct with any colour vision, and a grey."""

BLACK = "#000000"
ORANGE = "#E69F00"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#666666"
