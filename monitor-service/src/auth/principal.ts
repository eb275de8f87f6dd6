/**
 * Who calls: the SHA-256 of the public key (SPKI) in the client certificate, looked up in the
 * configuration (reliability 3.3). The TLS handshake has already proved possession of the key and that
 * our authority signed the certificate; nothing a message or metadata says is consulted.
 */
import { createHash, X509Certificate } from "node:crypto";
import { assert } from "@farwatch/protocol/assert";
import { isHex } from "@farwatch/protocol/bytes";
import type { ManagerKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { Principal } from "../runtime/monitor-host.js";

export interface PrincipalEntry {
  readonly name: string;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, lowercase hex. */
  readonly certificateSpkiSha256: string;
  readonly managerKey: ManagerKey;
  readonly admin: boolean;
}

/** The part of a peer certificate that is read; DER. */
export interface PeerCertificate {
  readonly raw: Buffer;
}

/** Lowercase hex. Throws when the bytes are no certificate, which TLS excludes. */
export function spkiSha256(certificate: Buffer | string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

export class Principals {
  readonly #bySpki: ReadonlyMap<string, Principal>;
  /** Per certificate object of a TLS session, so that unary calls do not parse it again. */
  readonly #known = new Map<string, Principal>();

  /** Asserts that no certificate stands for two principals. */
  constructor(entries: readonly PrincipalEntry[]) {
    this.#bySpki = new Map(
      entries.map(({ name, managerKey, admin, certificateSpkiSha256 }) => {
        assert(isHex(certificateSpkiSha256, 32), "certificate_spki_sha256: 32 bytes of hex");
        return [certificateSpkiSha256, { name, managerKey, admin }];
      }),
    );
    assert(this.#bySpki.size === entries.length, "a certificate stands for one principal");
  }

  /** Errors: signatureMissing (no certificate), notYourChannel (a certificate nobody configured). */
  identify(certificate: PeerCertificate | undefined): Result<Principal, Refusal> {
    if (certificate === undefined) {
      return err(refuse("signatureMissing", "no client certificate"));
    }
    const fingerprint = createHash("sha256").update(certificate.raw).digest("hex");
    const known = this.#known.get(fingerprint);
    if (known !== undefined) return ok(known);
    const spki = spkiSha256(certificate.raw);
    const principal = this.#bySpki.get(spki);
    if (principal === undefined) {
      const details = { certificate_spki_sha256: spki };
      return err(
        refuse("notYourChannel", "no manager is configured for this certificate", details),
      );
    }
    // Bounded: only certificates that our authority signed for configured keys get here.
    this.#known.set(fingerprint, principal);
    return ok(principal);
  }
}
