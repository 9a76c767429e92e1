"""Who is calling: the parameter types by which an endpoint says who may use it."""
