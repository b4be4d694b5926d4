"""The samplers ms-ehvi: accuracy is predicted, cost is known, the front's growth is closed-form.

Entered through ``sampler``; nothing here knows of the driver or of the database.
"""
