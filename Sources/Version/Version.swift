/// The version of this release, see CHANGELOG.md.
public let version = "0.1.0"
