# The server of the public protocol suite of Socket.IO: two namespaces, each says what it was shown. As where its server
# keeps nothing to come back to, an answer is a sid, and events have no offsets.
if .session == "main" or .session == "custom" then
  {do: "join", session, recovery: false},
  {do: "emit", type: "auth", args: .args}
else
  {do: "error", message: "Invalid namespace"}
end
