# The server of the public protocol suite of Socket.IO: two namespaces, each says what it was shown.
if .session == "main" or .session == "custom" then
  {do: "emit", type: "auth", args: .args}
else
  {do: "error", message: "Invalid namespace"}
end
