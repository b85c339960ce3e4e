import Foundation

/// The project's own nginx files, in a test's folder.
package enum NginxFiles {
    /// Writes them with the folder's paths: the package's into `lps/`, the operator's into `etc/`.
    ///
    /// - Parameters:
    ///   - replacing: further replacements, made in this order after the paths.
    ///   - edit: changes each file last.
    package static func install(
        in folder: TemporaryFolder,
        store: String,
        replacing: [(String, String)],
        _ edit: (String) -> String
    ) throws {
        let paths = [
            ("/etc/lps/nginx/", folder.file("etc/")), ("/var/lib/lps", store), ("/run/lps/", folder.path + "/"),
            ("/var/log/nginx/lps.log", folder.file("access.log")),
        ]
        for (source, target) in [("nginx", "lps"), ("nginx/etc", "etc")] {
            try FileManager.default.createDirectory(atPath: folder.file(target), withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(Project.root)/\(source)")
            where name.hasSuffix(".conf") {
                let text = (paths + replacing).reduce(try Project.text("\(source)/\(name)")) {
                    $0.replacingOccurrences(of: $1.0, with: $1.1)
                }
                try write(edit(text).utf8, to: folder.file("\(target)/\(name)"))
            }
        }
    }

    /// The first directives of the main file.
    ///
    /// - Parameter user: the user that nginx's workers become if root starts it.
    package static func main(_ folder: TemporaryFolder, user: String = "root") -> String {
        """
        daemon off;
        \(geteuid() == 0 ? "user \(user);" : "")
        pid \(folder.file("nginx.pid"));
        error_log \(folder.file("nginx-error.log")) info;
        """
    }

    /// The paths of nginx's temporary files, for its block `http`.
    package static func temporaryPaths(_ folder: TemporaryFolder) -> String {
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder.file("temp-\($0)"));" }
            .joined(separator: "\n")
    }

    /// Starts nginx with the folder's `nginx.conf`.
    package static func command(_ folder: TemporaryFolder) -> [String] {
        ["nginx", "-p", folder.path, "-c", folder.file("nginx.conf"), "-e", folder.file("nginx-error.log")]
    }
}

/// A certificate of `localhost`, created once per run.
package enum TestCertificate {
    private static let files = SharedFolder { folder in
        try requireDone(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder.file("key.pem"), "-out",
                folder.file("cert.pem"),
            ]
        )
    }

    /// Copies `cert.pem` and `key.pem` into a folder.
    package static func copy(to target: TemporaryFolder) throws {
        for name in ["cert.pem", "key.pem"] {
            try FileManager.default.copyItem(atPath: files.file(name), toPath: target.file(name))
        }
    }
}
