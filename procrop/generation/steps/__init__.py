"""The steps of the pipeline: importing it registers all of them."""
