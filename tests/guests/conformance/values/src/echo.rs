//! Each function gives back what it got.

use crate::Conformance;
use crate::exports::cordon::conformance::echo::*;

macro_rules! echoes {
    ($($name:ident: $type:ty,)*) => {
        impl Guest for Conformance {
            $(fn $name(value: $type) -> $type {
                value
            })*

            fn echo_many(
                a: bool,
                b: u8,
                c: i64,
                d: String,
                e: Vec<u8>,
                f: Option<Point>,
            ) -> (bool, u8, i64, String, Vec<u8>, Option<Point>) {
                (a, b, c, d, e, f)
            }

            fn nothing() {}

            fn measure(bytes: Vec<u8>) -> u64 {
                bytes.len() as u64
            }

            fn produce(length: u32) -> Vec<u8> {
                (0..length).map(|i| i as u8).collect()
            }
        }
    };
}

echoes! {
    echo_bool: bool,
    echo_s8: i8,
    echo_u8: u8,
    echo_s16: i16,
    echo_u16: u16,
    echo_s32: i32,
    echo_u32: u32,
    echo_s64: i64,
    echo_u64: u64,
    echo_f32: f32,
    echo_f64: f64,
    echo_char: char,
    echo_string: String,
    echo_list_u8: Vec<u8>,
    echo_list_s8: Vec<i8>,
    echo_list_u16: Vec<u16>,
    echo_list_s16: Vec<i16>,
    echo_list_u32: Vec<u32>,
    echo_list_s32: Vec<i32>,
    echo_list_u64: Vec<u64>,
    echo_list_s64: Vec<i64>,
    echo_list_f32: Vec<f32>,
    echo_list_f64: Vec<f64>,
    echo_list_bool: Vec<bool>,
    echo_list_char: Vec<char>,
    echo_list_string: Vec<String>,
    echo_list_point: Vec<Point>,
    echo_list_list: Vec<Vec<String>>,
    echo_pairs: Vec<(String, u32)>,
    echo_option: Option<u32>,
    echo_option_option: Option<Option<String>>,
    echo_result: Result<u32, String>,
    echo_result_ok_only: Result<u32, ()>,
    echo_result_err_only: Result<(), String>,
    echo_result_empty: Result<(), ()>,
    echo_result_nested: Result<Result<u8, String>, Option<u8>>,
    echo_tuple: (u8, String, f64),
    echo_tuple_nested: ((u8, i64), Option<char>),
    echo_flags: Access,
    echo_many_flags: Many,
    echo_enum: Color,
    echo_variant: Shape,
    echo_point: Point,
    echo_scalars: Scalars,
    echo_wide: Wide,
    echo_blob: Blob,
    echo_blobs: Vec<Blob>,
    echo_readings: Readings,
    echo_tree: Tree,
}
