//! The partition that Java's producers and Kafka Streams choose for a key, written from the Kafka protocol's
//! description of it.

/// Kafka's 32-bit murmur2.
pub(crate) fn murmur2(key: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).expect("a short key");
    let mut h: u32 = 0x9747_b28c ^ length;
    let (words, rest) = key.split_at(key.len() / 4 * 4);
    for word in words.chunks(4) {
        let mut k = u32::from_le_bytes(word.try_into().expect("four octets")).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, octet) in rest.iter().enumerate() {
            h ^= u32::from(*octet) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^= h >> 15;
    h.cast_signed()
}

/// Where Java puts `key` in a topic of so many partitions.
pub(crate) fn partition_of(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

#[test]
fn murmur2_is_javas() {
    // From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
    for (key, expected) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), expected, "{key}");
    }
}
