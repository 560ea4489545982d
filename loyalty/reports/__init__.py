"""Reports of a period: the numbers from SQL, stored with revisions, shown as Markdown and as one HTML file.

health.py and roi.py each have `numbers` (what is stored, plain JSON values), `page` (what a reader sees of them) and
`markdown`. A page knows no format; markdown.py and html.py each write any page. Money is whole minor units
throughout, and becomes text in formats.py alone.
"""
