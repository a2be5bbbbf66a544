{do: "reply", args: .args}
