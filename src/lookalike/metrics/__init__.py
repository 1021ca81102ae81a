"""How good codes are: rankings under ties, the paper's metrics, collisions, bits. NumPy only.

Every function that ranks takes the packed codes and labels of queries and of a database; labels are integers (N,),
or booleans (N, C) where an image has several, and two images are relevant to each other if they share one.
"""
