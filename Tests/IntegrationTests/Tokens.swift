import TestSupport

/// A service that checks tokens with an authentication service, whose part nginx itself plays.
final class Tokens {
    let stack: Stack
    private let service: TemporaryFolder

    init(isUnfriendly: Bool) throws {
        let blocks = try tenantExamples("Bearer tokens")
        service = try TemporaryFolder()
        let address = service.file("auth.sock")
        stack = try Stack(
            health: 401,
            nginx: { text in
                (isUnfriendly ? UnfriendlyNginx.edit(text) : text)
                    .replacingOccurrences(of: "# auth_request /lps-auth;", with: blocks[2])
                    .replacingOccurrences(of: openNamespaces, with: blocks[1])
                    .replacingOccurrences(
                        of: "include lps/server.conf;",
                        with: "include lps/server.conf;\n"
                            + blocks[0].replacingOccurrences(
                                of: "http://127.0.0.1:8080/",
                                with: "http://unix:\(address):/"
                            )
                    )
                    .replacingOccurrences(
                        of: "include lps/site.conf;",
                        with: """
                            map $http_authorization $answer {
                                default 401;
                                "Bearer orders-token" 204;
                                "Bearer billing-token" 204;
                                "Bearer token-of-nothing" 204;
                                "Bearer revoked" 403;
                                "Bearer broken" 500;
                            }
                            map $http_authorization $namespaces {
                                default "";
                                "Bearer orders-token" orders;
                                "Bearer billing-token" billing;
                                "Bearer revoked" orders;
                            }
                            server {
                                listen unix:\(address);
                                error_page 418 /none;
                                add_header X-Allowed-Namespaces $namespaces;
                                add_header WWW-Authenticate Bearer always;
                                if ($answer = 401) { return 401; }
                                if ($answer = 403) { return 403; }
                                if ($answer = 500) { return 500; }
                                location = /auth { return 204; }
                            }
                            include lps/site.conf;
                            """
                    )
            }
        )
    }
}
