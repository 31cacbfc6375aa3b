"""The description of the API: the models that validate, and the document made from them."""
