import Foundation
import Logging
import PayloadKey
import Storage
import TestStores
import TestSupport
import Testing

@testable import PayloadService

/// A combination that the wire contract must hold for: a store, and a way to hand over payloads.
struct Setup: Sendable, CustomTestStringConvertible {
    enum Handover: String, CaseIterable, Sendable {
        /// The web server writes uploads into files and sends payloads itself.
        case files
        /// Payloads pass through the service in requests and answers.
        case streams
    }

    let store: StoreKind
    let handover: Handover

    var testDescription: String { "\(store), \(handover)" }

    /// For tests that depend on the store: one on disk and, if an engine is installed, one in a bucket.
    static let all = disk + StoreKind.all.filter { $0 == .s3 }.flatMap(product)
    /// For tests that do not depend on the store.
    static let disk = product(.disk)

    private static func product(_ store: StoreKind) -> [Setup] {
        Handover.allCases.map { Setup(store: store, handover: $0) }
    }
}

/// A service over an empty store, called in this process.
final class ServiceFixture {
    let setup: Setup
    let store: StoreUnderTest
    private(set) var service: PayloadService
    let log = RecordedLog()
    private let folder: TemporaryFolder

    init(
        _ setup: Setup = Setup.all[0],
        reserve: UInt64 = 0,
        quota: @escaping @Sendable (Namespace) -> UInt64? = { _ in nil },
        maximumPayload: UInt64 = PayloadService.defaultMaximumPayload,
        codec: CodecLimits = CodecLimits(),
        next: (any NextCodec)? = nil
    ) throws {
        self.setup = setup
        folder = try TemporaryFolder(isInMemory: true)
        store = try setup.store.make(in: folder, reserve: reserve, quota: quota, logger: log.logger)
        service = PayloadService(
            store: store.storage,
            maximumPayload: maximumPayload,
            codec: codec,
            next: next,
            logger: log.logger
        )
    }

    /// Continues as another process would, which knows only what is stored.
    func restart() throws {
        let (maximum, codec) = (service.maximumPayload, service.codec)
        service = PayloadService(
            store: try store.another(),
            maximumPayload: maximum,
            codec: codec,
            logger: log.logger
        )
    }

    /// The folder that the web server writes uploads to.
    var incoming: String { store.storage.uploads.path }

    // MARK: Requests

    /// Sends the service a request as a web server does, and reads the whole answer.
    func ask(_ asked: Asked, _ trace: RequestTrace = RequestTrace()) throws -> Answer {
        let isFile = setup.handover == .files && asked.source == nil && asked.file == nil
        let upload = try isFile ? asked.body.map(upload) : nil
        defer { if let upload { unlink(upload) } }
        let answer = try answer(to: asked, upload, trace)
        trace.finish()
        let left = files(below: incoming).filter { $0.hasPrefix(IncomingFile.prefix) }
        #expect(left.isEmpty, "no file of the service is left")
        return answer
    }

    /// A separate function, so that the request and its body's file are released when it returns.
    private func answer(to asked: Asked, _ upload: String?, _ trace: RequestTrace) throws -> Answer {
        let request = ServiceRequest(
            method: sent(asked.method),
            path: sent(asked.path),
            query: sent(asked.query),
            headers: asked.headers,
            body: (upload ?? asked.file).map { .file(path: sent($0)) }
                ?? .stream(asked.source ?? source(asked.body ?? [])),
            delivery: setup.handover == .files ? .redirect(prefix: sent("/internal")) : .stream,
            allowedNamespaces: asked.allowed.map(sent),
            readableNamespaces: asked.readable.map(sent),
            codecPrefix: asked.codecPrefix.map(sent)
        )
        let response = service.respond(to: request, trace)
        try asked.beforeContent()
        return try read(response, to: request, trace)
    }

    @discardableResult
    func put(_ payload: [UInt8], namespace: String = "ns", metadata: String = "{}") throws -> Answer {
        try ask(.put(payload, namespace: namespace, metadata: metadata))
    }

    /// Stores a payload, requires success, and returns its key.
    func store(_ payload: [UInt8], namespace: String = "ns", metadata: String = "{}") throws -> String {
        let answer = try put(payload, namespace: namespace, metadata: metadata)
        try #require(answer.status == 201 || answer.status == 200, "\(answer.text)")
        return try answer.key
    }

    /// Sends the codec server payloads and returns those of its answer.
    func codec(_ operation: String, _ payloads: [JSONPayload]) throws -> [JSONPayload] {
        try ask(.codec(operation, JSONPayloads(payloads).json)).payloads
    }

    private func upload(_ body: [UInt8]) throws -> String {
        let file = "\(incoming)/\(UUID().uuidString)"
        try write(body, to: file)
        return file
    }

    // MARK: Answers

    private func read(_ response: ServiceResponse, to request: ServiceRequest, _ trace: RequestTrace) throws -> Answer {
        var body: [UInt8] = []
        let fields = String(decoding: response.fieldLines, as: UTF8.self).split(separator: "\r\n").map { line in
            let name = line.prefix { $0 != ":" }
            return (String(name), String(line.dropFirst(name.count + 2)))
        }
        let headers = Dictionary(fields) { "\($0), \($1)" }
        switch response.body {
        case .empty:
            if let path = headers["X-Accel-Redirect"] {
                body = try store.fetch(String(path.dropFirst("/internal/".count)), headers)
            }
        case .bytes(let bytes): body = bytes
        case .produced(let length, let produce):
            do {
                try produce { body += $0 }
            } catch  where body.isEmpty {
                return try read(service.respond(to: request, failedWith: error, trace), to: request, trace)
            } catch {
                throw CutOff(body: body)
            }
            #expect(body.count == length, "the body is as long as its Content-Length")
        }
        return Answer(status: response.status.code, headers: headers, body: body)
    }
}

/// An answer failed after part of it was sent: the client sees that the rest is missing.
struct CutOff: Error {
    let body: [UInt8]
}

/// An answer that was read completely.
struct Answer {
    let status: Int
    let headers: [String: String]
    /// The bytes that the client receives, even if the web server sends them.
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The key of a successful upload.
    var key: String {
        get throws { try Stack.key(body) }
    }

    /// The payloads of the codec server's answer.
    var payloads: [JSONPayload] {
        get throws {
            #expect(status == 200, "\(text.prefix(300))")
            #expect(headers["Content-Type"] == "application/json")
            #expect(headers["Cache-Control"] == "no-store")
            return try JSONDecoder().decode(JSONPayloads.self, from: Data(body)).payloads
        }
    }
}
