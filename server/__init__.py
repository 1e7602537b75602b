"""The server: draw a box in the browser or in 3D Slicer, see the mask. Its rooms:

`cli`, `launch`
    The command ``litemedsam-serve``, and its process: sockets, signals, the browser.
`app`
    All routes behind the checks of `security`.
`routes`
    Requests to answers.
`protocols`
    Protocols of other programs, translated into sessions.
`sessions`
    Open scans with their objects, masks and history; knows nothing of HTTP.
`security`
    Who may ask, from where, and how much.
`page`
    The page: HTML, style and plain JavaScript modules.
"""
