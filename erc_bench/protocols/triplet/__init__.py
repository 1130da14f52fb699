"""Protocol `triplet`: what is a metric space worth, by the scoring of the code released with the SEC paper?"""
