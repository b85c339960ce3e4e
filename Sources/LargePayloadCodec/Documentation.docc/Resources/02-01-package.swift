// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "orders",
    dependencies: [
        .package(url: "https://github.com/apple/swift-temporal-sdk", .upToNextMinor(from: "0.6.0")),
        .package(url: "https://github.com/YOUR-ORGANISATION/large-payload-service", branch: "main"),
    ],
    targets: [
        .executableTarget(
            name: "Orders",
            dependencies: [
                .product(name: "Temporal", package: "swift-temporal-sdk"),
                .product(name: "LargePayloadCodec", package: "large-payload-service"),
            ]
        )
    ]
)
