/// An nginx that is also configured for another purpose: each directive that the service's locations would inherit
/// contradicts the wire contract.
package enum UnfriendlyNginx {
    /// Changes the configuration, or a file that it includes.
    package static func edit(_ text: String) -> String {
        text.replacingOccurrences(of: "\nhttp {\n", with: "\nhttp {\n\(http)\n")
            .replacingOccurrences(
                of: "include lps/server.conf;",
                with: "\(server)\ninclude lps/server.conf;\n\(last)"
            )
    }

    private static let http = """
        open_file_cache max=1000;
        open_file_cache_valid 60s;
        open_file_cache_errors on;
        disable_symlinks on;
        sendfile off;
        directio 4k;
        aio threads;
        output_buffers 1 4k;
        default_type text/html;
        types { }
        charset utf-8;
        charset_types *;
        large_client_header_buffers 8 16k;
        override_charset on;
        ssi on;
        ssi_types *;
        gzip on;
        gzip_types *;
        gzip_min_length 1;
        gzip_proxied any;
        gzip_static always;
        gunzip on;
        expires 30d;
        add_header X-Theirs yes;
        max_ranges 0;
        if_modified_since before;
        client_max_body_size 1k;
        client_body_buffer_size 1k;
        client_body_in_single_buffer on;
        error_page 400 401 403 404 412 413 416 500 502 503 504 =200 /theirs.html;
        mirror /theirs-mirror;
        fastcgi_cache_path theirs keys_zone=theirs:1m;
        fastcgi_cache theirs;
        fastcgi_cache_key $request_uri;
        fastcgi_cache_valid any 1h;
        fastcgi_cache_methods GET HEAD POST;
        fastcgi_cache_min_uses 1;
        fastcgi_ignore_headers X-Accel-Redirect X-Accel-Expires Cache-Control Expires Set-Cookie Vary;
        fastcgi_intercept_errors on;
        fastcgi_buffering off;
        fastcgi_request_buffering off;
        fastcgi_buffer_size 4k;
        fastcgi_buffers 8 4k;
        fastcgi_busy_buffers_size 8k;
        fastcgi_keep_conn on;
        fastcgi_force_ranges on;
        fastcgi_hide_header ETag;
        fastcgi_next_upstream off;
        fastcgi_next_upstream_tries 1;
        fastcgi_param SCRIPT_NAME /theirs;
        proxy_cache_path theirs-proxy keys_zone=theirs_proxy:1m;
        proxy_cache theirs_proxy;
        proxy_cache_key $proxy_host;
        proxy_cache_valid any 1h;
        proxy_intercept_errors on;
        proxy_store off;
        fastcgi_max_temp_file_size 8k;
        satisfy any;
        proxy_buffering off;
        proxy_http_version 1.0;
        proxy_set_header X-Theirs yes;
        proxy_hide_header Content-Length;
        proxy_cache_min_uses 5;
        proxy_cache_methods POST;
        proxy_no_cache 1;
        proxy_next_upstream off;
        proxy_next_upstream_tries 1;
        """

    private static let server = """
        location ~ ^/(v2|codec|lps-internal|lps)/ { return 418; }
        location ~ /\\. { deny all; }
        """
    private static let last = """
        location ~* \\.(json|html)$|^/(v2|codec)/.*/(put|get|head|decode|encode)$ { return 418; }
        location ~ "[0-9a-f]{64}" { return 418; }
        """
}
