"""The report: pages for people who open no terminal, from what is published."""
