/// The version of this release, see CHANGELOG.md.
let version = "0.1.0"
