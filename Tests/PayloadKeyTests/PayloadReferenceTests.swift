import Foundation
import TestSupport
import Testing

@testable import PayloadKey

@Suite(.runLimit) struct PayloadReferenceTests {
    private func reference(_ json: String) throws -> PayloadReference {
        try PayloadReference(parsing: Array(json.utf8))
    }

    @Test(arguments: CodecVector.all)
    func `A reference is written byte for byte as the existing codec writes it`(vector: CodecVector)
        throws
    {
        let metadata = TemporalMetadata(vector.metadata.map { (Array($0.key.utf8), Array($0.value.utf8)) })
        let digest = Digest(of: vector.data)
        let prefix = metadata.keyPrefix.flatMap { KeyPrefix(validating: $0) }
        let namespace = try Namespace(validating: Array("test".utf8))
        let key = PayloadKey(namespace: namespace, prefix: prefix, digest: digest, metadataHash: metadata.hash)
        let written = PayloadReference(
            metadata: metadata,
            size: UInt64(vector.data.count),
            digest: digest,
            key: key.utf8
        )
        #expect(Array(written.json.utf8) == vector.encoded)
        #expect(try PayloadReference(parsing: vector.encoded) == written)
    }

    @Test func `Names and keys are escaped as in Go`() throws {
        let name = "<a>&\"\\\u{2028}\u{2029}é"
        let written = PayloadReference(
            metadata: TemporalMetadata([(Array(name.utf8), [0xFF, 0xFE])]),
            size: 0,
            digest: Digest(of: []),
            key: Array("/blobs/<&>".utf8)
        )
        #expect(
            written.json
                == #"{"metadata":{"\u003ca\u003e\u0026\"\\\u2028\u2029é":"//4="},"size":0,"digest":"\#(Digest(of: []))","key":"/blobs/\u003c\u0026\u003e"}"#
        )
        #expect(try PayloadReference(parsing: Array(written.json.utf8)) == written)
    }

    @Test func `Missing metadata is written as null, as in Go`() throws {
        let written = PayloadReference(metadata: TemporalMetadata([]), size: 1, digest: Digest(of: []), key: [0x61])
        #expect(written.json.hasPrefix(#"{"metadata":null,"size":1,"#))
        #expect(try reference(written.json) == written)
    }

    @Test func `Members can have any order, and unknown ones are ignored`() throws {
        let read = try reference(
            #" {"later":[{"a":1}],"key":"/k","digest":"\#(Digest(of: []))","size":7,"metadata":{}} "#
        )
        #expect(read.key == Array("/k".utf8))
        #expect(read.size == 7)
    }

    @Test(
        arguments: [
            ("", "expected '{' at byte 0"),
            ("[]", "expected '{' at byte 0"),
            (#"{"metadata":{"a":"!"}}"#, "invalid reference to a large payload: the value of 'a' is not valid base64"),
            (#"{"metadata":{"a":1}}"#, "expected '\"'"),
            (#"{"metadata":{},"size":-1}"#, "expected a number without sign"),
            (#"{"metadata":{},"size":"1"}"#, "expected a value"),
            (#"{"metadata":{},"size":1,"digest":"sha256:00"}"#, "invalid digest 'sha256:00'"),
            (#"{"metadata":{}}"#, "it has no size"),
            (#"{"metadata":{},"size":1}"#, "it has no digest"),
            (#"{"metadata":{},"size":1,"digest":"\#(Digest(of: []))"}"#, "it has no key"),
            (#"{"metadata":{},"size":1,"digest":"\#(Digest(of: []))","key":""}"#, "it has no key"),
            (#"{"metadata":{},"size":1,"digest":"\#(Digest(of: []))","key":"/k"}x"#, "text after the value"),
        ]
    )
    func `An invalid reference is refused with the reason`(json: String, reason: String) {
        let error = #expect(throws: PayloadReferenceError.self) { try reference(json) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
    }

    @Test func `A reference is read as Go's encoding/json reads it`() throws {
        let digest = Digest(of: [])
        let written = try reference(#"{"metadata":null,"size":1000,"digest":"\#(digest)","key":"/k"}"#)
        for json in [
            #"{"size":1000,"digest":"\#(digest)","key":"/k"}"#,
            #"{"Metadata":{},"SIZE":1000.0,"dIgEsT":"\#(digest)","Key":"/k"}"#,
            #"{"key":"/other","Key":"/k","size":7,"size":1000.00,"digest":"\#(digest)"}"#,
        ] {
            #expect(try reference(json) == written, "\(json)")
        }
    }

    @Test func `A reference must have the digest and the metadata of its key`() throws {
        let metadata = TemporalMetadata([(Array("encoding".utf8), Array("json/plain".utf8))])
        let forged = TemporalMetadata([(Array("encoding".utf8), Array("binary/null".utf8))])
        let namespace = try Namespace(validating: Array("ns".utf8))
        let (digest, other) = (Digest(of: [1]), Digest(of: [2]))
        let key = PayloadKey(namespace: namespace, prefix: nil, digest: digest, metadataHash: metadata.hash)
        func check(_ metadata: TemporalMetadata, _ digest: Digest) throws {
            try PayloadReference(metadata: metadata, size: 1, digest: digest, key: key.utf8).check(against: key)
        }
        try check(metadata, digest)
        for (metadata, digest, reason) in [
            (forged, digest, "its metadata is not the one of its key \(key)"),
            (metadata, other, "its digest \(other) is not the one of its key \(key)"),
        ] {
            let error = #expect(throws: PayloadReferenceError.self) { try check(metadata, digest) }
            #expect(error?.description == reason)
        }
    }

    @Test func `A payload's metadata shows whether it is a reference`() throws {
        func isCarried(_ version: String?) throws -> Bool {
            let names = version.map { [(Array(PayloadReference.versionName.utf8), Array($0.utf8))] } ?? []
            return try PayloadReference.isCarried(by: TemporalMetadata(names))
        }
        #expect(try isCarried("v2"))
        #expect(try PayloadReference.isCarried(by: PayloadReference.carrierMetadata))
        #expect(try !isCarried(nil))
        for (version, reason) in [("v1", "under version v1"), ("v3", "unknown version 'v3'"), ("", "version ''")] {
            let error = #expect(throws: PayloadReferenceError.self) { try isCarried(version) }
            #expect(error?.description.contains(reason) == true)
        }
    }
}
