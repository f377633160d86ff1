//! A plugin of zeroclaw: several tools and a channel in one module, over the ten functions of its host. What it does is
//! in tools.rs, the same for both builds; on_extism.rs and as_component.rs are how each reaches its host.

mod tools;

#[cfg(feature = "component")]
mod as_component;
#[cfg(feature = "extism")]
mod on_extism;
