// swift-tools-version: 6.2
import PackageDescription

// Dependencies point one way: C modules → FastCGI binding; PayloadKey → PayloadStore → PayloadService → executables.
let package = Package(
    name: "large-payload-service",
    products: [
        .executable(name: "lps-worker", targets: ["lps-worker"]),
        .executable(name: "lps", targets: ["lps"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .systemLibrary(name: "CFastCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
        .systemLibrary(name: "CLinux"),
        .target(
            name: "FastCGI",
            dependencies: [
                "CFastCGI", "CLinux",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "PayloadKey",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "PayloadStore",
            dependencies: [
                "PayloadKey",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]
        ),
        .target(
            name: "PayloadService",
            dependencies: ["PayloadKey", "PayloadStore", .product(name: "Logging", package: "swift-log")]
        ),
        .executableTarget(
            name: "lps-worker",
            dependencies: [
                "FastCGI", "PayloadService", "PayloadStore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .executableTarget(
            name: "lps",
            dependencies: [
                "PayloadStore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .target(
            name: "TestSupport",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            path: "Tests/TestSupport",
            exclude: ["codec", "put_vectors.json"]
        ),
        .testTarget(name: "PayloadKeyTests", dependencies: ["PayloadKey", "TestSupport"]),
        .testTarget(name: "PayloadStoreTests", dependencies: ["PayloadStore", "TestSupport"]),
        .testTarget(name: "PayloadServiceTests", dependencies: ["PayloadService", "TestSupport"]),
        .testTarget(
            name: "FastCGITests",
            dependencies: ["FastCGI", "TestSupport", .product(name: "Logging", package: "swift-log")]
        ),
        .testTarget(name: "WorkerTests", dependencies: ["lps-worker"]),
        .testTarget(name: "IntegrationTests", dependencies: ["TestSupport", "lps", "lps-worker"]),
    ],
    swiftLanguageModes: [.v6]
)
