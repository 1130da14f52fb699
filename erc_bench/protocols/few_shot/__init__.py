"""Protocol `few-shot`: how well is a label recognised that training never saw?"""
