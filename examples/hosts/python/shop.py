#!/usr/bin/env python3
"""Loads a plugin that asks this program for prices: refused without a grant, then with it."""
import sys

import cordon

STOCK = {"shoes": 80}


def out_of_stock():
    raise RuntimeError("out of stock")


with cordon.Host(compiler=1) as host:  # in this process: no program beside it is needed
    host.register("acme:shop/prices@1.0.0", {
        "price-of": ("(string)->option<u32>", "prices", STOCK.get),
        "describe": ("(string)->result<record{name:string,amount:u32,currency:enum{eur,usd}},string>", "prices",
                     lambda article: {"ok": {"name": article, "amount": STOCK[article], "currency": "eur"}}),
        "total": ("(list<u32>)->u64", "prices", sum),
        "wait": ("()", "prices", lambda: None),
        "fail": ("()", "prices", out_of_stock),
    })
    try:
        host.load(sys.argv[1])
    except cordon.Failure as failure:
        print(f"refused: {failure}\n  {failure.remedy}")
    with host.load(sys.argv[1], grants=["host:prices"]) as shop:
        print("greet:", shop.call("greet", name="Ada"))
        print("price of shoes:", shop.call("price", article="shoes"))
        print("price of hats:", shop.call("price", article="hats"))
        print("total:", shop.call("total", amounts=[1, 2, 3]))
        try:
            shop.call("failing")
        except cordon.Failure as failure:
            print(f"failing: {failure}")
