# Who has shown a token may come in; the operator gives it the namespace, whatever the token says of sessions.
if .user then {do: "join", session: .session} else {do: "error", code: "no_token", message: "show a token"} end
