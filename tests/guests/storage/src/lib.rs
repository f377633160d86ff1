//! The guest that uses every function of wasi:keyvalue. It imports nothing else.

wit_bindgen::generate!({
    path: ["../../../wit/wasi-keyvalue", "../../../wit/wasi-config", "../../../wit/cordon-secrets", "wit"],
    world: "cordon:storage-guest/kv-guest",
    generate_all
});

use exports::cordon::storage_guest::kv::Guest;
use wasi::keyvalue::atomics::{self, Cas, CasError};
use wasi::keyvalue::batch;
use wasi::keyvalue::store::{Bucket, Error, open};

struct KvGuest;

fn told(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no-such-store".into(),
        Error::AccessDenied => "access-denied".into(),
        Error::Other(text) => text,
    }
}

fn bucket(name: String) -> Result<Bucket, String> {
    open(&name).map_err(told)
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap_or_else(|_| "not a text".into())
}

impl Guest for KvGuest {
    fn get(name: String, key: String) -> Result<Option<String>, String> {
        Ok(bucket(name)?.get(&key).map_err(told)?.map(text))
    }

    fn set(name: String, key: String, value: String) -> Result<(), String> {
        bucket(name)?.set(&key, value.as_bytes()).map_err(told)
    }

    fn delete(name: String, key: String) -> Result<(), String> {
        bucket(name)?.delete(&key).map_err(told)
    }

    fn exists(name: String, key: String) -> Result<bool, String> {
        bucket(name)?.exists(&key).map_err(told)
    }

    fn keys(name: String) -> Result<(Vec<String>, u32), String> {
        let bucket = bucket(name)?;
        let (mut keys, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = bucket.list_keys(cursor.as_deref()).map_err(told)?;
            keys.extend(page.keys);
            pages += 1;
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok((keys, pages));
            }
        }
    }

    fn increment(name: String, key: String, delta: i64) -> Result<i64, String> {
        atomics::increment(&bucket(name)?, &key, delta).map_err(told)
    }

    fn swap(name: String, key: String, value: String, between: Option<String>) -> Result<bool, String> {
        let bucket = bucket(name)?;
        let cas = Cas::new(&bucket, &key).map_err(told)?;
        cas.current().map_err(told)?;
        if let Some(other) = between {
            bucket.set(&key, other.as_bytes()).map_err(told)?;
        }
        match atomics::swap(cas, value.as_bytes()) {
            Ok(()) => Ok(true),
            Err(CasError::StoreError(error)) => Err(told(error)),
            Err(CasError::CasFailed(again)) => match atomics::swap(again, value.as_bytes()) {
                Ok(()) => Ok(false),
                Err(CasError::StoreError(error)) => Err(told(error)),
                Err(CasError::CasFailed(_)) => Err("failed twice".into()),
            },
        }
    }

    fn get_many(name: String, keys: Vec<String>) -> Result<Vec<(String, Option<String>)>, String> {
        let found = batch::get_many(&bucket(name)?, &keys).map_err(told)?;
        Ok(found.into_iter().map(|(key, value)| (key, value.map(text))).collect())
    }

    fn set_many(name: String, pairs: Vec<(String, String)>) -> Result<(), String> {
        let pairs: Vec<(String, Vec<u8>)> = pairs.into_iter().map(|(k, v)| (k, v.into_bytes())).collect();
        batch::set_many(&bucket(name)?, &pairs).map_err(told)
    }

    fn delete_many(name: String, keys: Vec<String>) -> Result<(), String> {
        batch::delete_many(&bucket(name)?, &keys).map_err(told)
    }

    fn fill(name: String, count: u32, size: u32) -> (u32, Option<String>) {
        let bucket = match bucket(name) {
            Ok(bucket) => bucket,
            Err(error) => return (0, Some(error)),
        };
        let value = vec![b'x'; size as usize];
        for n in 0..count {
            if let Err(error) = bucket.set(&format!("fill-{n}"), &value) {
                return (n, Some(told(error)));
            }
        }
        (count, None)
    }

    fn get_often(name: String, key: String, times: u32) -> Result<u32, String> {
        let bucket = bucket(name)?;
        let mut bytes = 0;
        for _ in 0..times {
            bytes += bucket.get(&key).map_err(told)?.map_or(0, |value| value.len() as u32);
        }
        Ok(bytes)
    }

    fn hoard(name: String, count: u32) -> Result<(), String> {
        let bucket = bucket(name)?;
        let mut handles = Vec::new();
        for _ in 0..count {
            handles.push(Cas::new(&bucket, "hoard").map_err(told)?);
        }
        match atomics::swap(handles.swap_remove(0), b"1") {
            Ok(()) => Ok(()),
            Err(CasError::StoreError(error)) => Err(told(error)),
            Err(CasError::CasFailed(_)) => Err("failed".into()),
        }
    }
}

export!(KvGuest);
