// swift-tools-version: 6.2
import PackageDescription

// Dependencies go one way: C modules → System → Storage (the contract of every store) → DiskStore and S3Store →
// executables; Storage → PayloadService. Encoding → PayloadKey → all of these, and LargePayloadCodec, the client
// library, which alone has an asynchronous HTTP client; HTTP is a blocking one on libcurl.
let package = Package(
    name: "large-payload-service",
    // Only for LargePayloadCodec, Encoding and PayloadKey; everything else needs Linux. Not tested on macOS.
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lps-worker", targets: ["lps-worker"]),
        .executable(name: "lps", targets: ["lps"]),
        .library(name: "LargePayloadCodec", targets: ["LargePayloadCodec"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CExpat", pkgConfig: "expat", providers: [.apt(["libexpat1-dev"])]),
        .target(
            name: "FastCGI",
            dependencies: [
                "CFastCGI", "CLinux", "System",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(name: "Encoding"),
        .target(
            name: "PayloadKey",
            dependencies: ["Encoding", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "Storage",
            dependencies: [
                "PayloadKey", "System",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "DiskStore",
            dependencies: [
                "Encoding", "PayloadKey", "Storage", "System",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "S3Store",
            dependencies: [
                "HTTP", "PayloadKey", "Storage", "S3", .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "StoreFactory",
            dependencies: [
                "DiskStore", "PayloadKey", "S3", "S3Store", "Storage", .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "PayloadService",
            dependencies: [
                "Encoding", "PayloadKey", "Storage", "System", .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "LargePayloadCodec",
            dependencies: [
                "Encoding", "PayloadKey",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .target(
            name: "HTTP",
            dependencies: [
                "CCurl", "Encoding", "System", .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(name: "EnvironmentFile", dependencies: ["Encoding", "System"]),
        .target(
            name: "System",
            dependencies: ["CLinux", .product(name: "SystemPackage", package: "swift-system")]
        ),
        .target(
            name: "S3",
            dependencies: [
                "CExpat", "Encoding", "HTTP", "PayloadKey", "System",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(name: "Version"),
        .target(
            name: "Scoreboard",
            dependencies: ["CLinux", "System", .product(name: "SystemPackage", package: "swift-system")]
        ),
        .target(name: "StorePolicy", dependencies: ["Encoding", "PayloadKey", "System"]),
        .target(name: "TarArchive", dependencies: ["Encoding"]),
        .executableTarget(
            name: "lps-worker",
            dependencies: [
                "DiskStore", "Encoding", "EnvironmentFile", "FastCGI", "HTTP", "PayloadKey", "PayloadService",
                "Scoreboard", "Storage", "StoreFactory", "StorePolicy", "System", "Version",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .executableTarget(
            name: "lps",
            dependencies: [
                "DiskStore", "Encoding", "EnvironmentFile", "PayloadKey", "Storage", "StoreFactory", "StorePolicy",
                "System", "TarArchive", "Version",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "TestSupport",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestSupport",
            exclude: ["codec", "put_vectors.json"]
        ),
        .target(
            name: "TestStores",
            dependencies: [
                "DiskStore", "PayloadKey", "S3", "S3Store", "Storage", "System", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestStores"
        ),
        .testTarget(name: "EncodingTests", dependencies: ["Encoding", "TestSupport"]),
        .testTarget(name: "PayloadKeyTests", dependencies: ["PayloadKey", "TestSupport"]),
        .testTarget(
            name: "StorageTests",
            dependencies: ["PayloadKey", "Storage", "TestStores", "TestSupport"]
        ),
        .testTarget(name: "DiskStoreTests", dependencies: ["DiskStore", "Storage", "TestStores", "TestSupport"]),
        .target(
            name: "Simulation",
            dependencies: [
                "DiskStore", "PayloadKey", "Storage", "System",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/Simulation"
        ),
        .testTarget(name: "SimulationTests", dependencies: ["Simulation"]),
        .executableTarget(name: "simulate", dependencies: ["Simulation"], path: "Tests/Simulate"),
        .testTarget(name: "StorePolicyTests", dependencies: ["Encoding", "StorePolicy", "TestSupport"]),
        .testTarget(
            name: "PayloadServiceTests",
            dependencies: ["PayloadKey", "PayloadService", "Storage", "TestStores", "TestSupport"]
        ),
        .testTarget(
            name: "FastCGITests",
            dependencies: ["FastCGI", "System", "TestSupport", .product(name: "Logging", package: "swift-log")]
        ),
        .target(
            name: "TemporalSDKShape",
            path: "Tests/TemporalSDKShape",
            // The feature that the SDK intends to enable; its manifest has the name in another case.
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
        ),
        .testTarget(
            name: "LargePayloadCodecTests",
            dependencies: [
                "LargePayloadCodec", "TemporalSDKShape", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .executableTarget(
            name: "end-to-end-codec",
            dependencies: ["LargePayloadCodec"],
            path: "Tests/EndToEnd/SwiftCodec"
        ),
        .testTarget(name: "EnvironmentFileTests", dependencies: ["Encoding", "EnvironmentFile", "TestSupport"]),
        .testTarget(name: "ScoreboardTests", dependencies: ["Scoreboard", "System", "TestSupport"]),
        .testTarget(
            name: "S3Tests",
            dependencies: ["HTTP", "S3", "TestSupport", .product(name: "Logging", package: "swift-log")],
            exclude: ["botocore_vectors.json", "botocore_vectors.py"]
        ),
        .testTarget(name: "S3StoreTests", dependencies: ["S3Store", "TestSupport"]),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "DiskStore", "Encoding", "EnvironmentFile", "FastCGI", "PayloadKey", "PayloadService", "Scoreboard",
                "Storage", "TestSupport", "lps-worker",
            ]
        ),
        .testTarget(name: "TarArchiveTests", dependencies: ["TarArchive", "TestSupport"]),
        .testTarget(
            name: "OperatorTests",
            dependencies: [
                "DiskStore", "Encoding", "EnvironmentFile", "PayloadKey", "Storage", "TarArchive", "StorePolicy",
                "TestStores", "TestSupport", "lps",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "DiskStore", "PayloadKey", "Storage", "TestStores", "TestSupport", "lps", "lps-worker",
            ]
        ),
        .testTarget(
            name: "SoakTests",
            dependencies: ["TestSupport", .product(name: "Crypto", package: "swift-crypto")]
        ),
    ],
    swiftLanguageModes: [.v6]
)

// Only for 'make docs': users of the library do not have to fetch it.
if Context.environment["LPS_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}

// Only for 'make fuzz': it links only with -sanitize=fuzzer.
if Context.environment["LPS_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Encoding", "EnvironmentFile", "FastCGI", "PayloadKey", "PayloadService", "DiskStore", "Storage",
                "StorePolicy", "TarArchive",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Fuzz",
            exclude: ["Corpus"]
        )
    )
}

// LPS_SERVICE, for tests of the service: leaves out the client library, whose HTTP client takes long to build.
// LPS_SANITIZE, for 'make sanitize': also leaves out the integration tests, which it does not run.
if Context.environment["LPS_SERVICE"] != nil || Context.environment["LPS_SANITIZE"] != nil {
    var names = ["LargePayloadCodec", "LargePayloadCodecTests", "TemporalSDKShape", "end-to-end-codec"]
    if Context.environment["LPS_SANITIZE"] != nil { names.append("IntegrationTests") }
    package.targets.removeAll { names.contains($0.name) }
    package.products.removeAll { names.contains($0.name) }
}
