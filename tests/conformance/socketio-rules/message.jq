{do: "emit", type: "message-back", args: .args}
